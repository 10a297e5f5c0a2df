"""The configuration of a run: typed, checked, saved as it was resolved.

`sections` has the keys and their defaults, `loading` reads files and settings, `merging` says how a later part changes
an earlier one, `checks` which values will do; `document` and `legend` write what every key means.
"""

from mertk.config.loading import (
    as_dict,
    decisive,
    load_config,
    make_config,
    merge_config,
    save_config,
)
from mertk.config.merging import is_setting
from mertk.config.sections import (
    Config,
    DataConfig,
    GroupConfig,
    InputConfig,
    OptimizerConfig,
    RunConfig,
    SamplerConfig,
    ScheduleConfig,
    TrainingConfig,
    TurnConfig,
)

__all__ = [
    "Config",
    "DataConfig",
    "GroupConfig",
    "InputConfig",
    "OptimizerConfig",
    "RunConfig",
    "SamplerConfig",
    "ScheduleConfig",
    "TrainingConfig",
    "TurnConfig",
    "as_dict",
    "decisive",
    "is_setting",
    "load_config",
    "make_config",
    "merge_config",
    "save_config",
]
