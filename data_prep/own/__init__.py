"""A corpus of one's own, from rows to a data directory: `prepare_rows` of `directory` joins all that stands here.

The doors (`csv_table`, `kaldi`, `emobox`, `audformat`, beside this folder) have their lists read by `reading` into
`OwnRow`s (`rows`). Those become utterances, whose faults are all told at once (`utterances`), by way of their labels,
parts, media and sound, which are settled one after the other; then columns and folds are written.
"""
