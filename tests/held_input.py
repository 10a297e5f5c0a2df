"""An input whose sequences are held in memory, for trainings on data that are made up."""


class HeldInput:
    """Gives the sequences that a class below it puts into `frames`, by utterance."""

    record = None

    def __init__(self):
        self.frames = {}

    def has(self, utterance):
        return utterance in self.frames

    def length(self, utterance):
        return len(self.frames[utterance])

    def read(self, utterance):
        return self.frames[utterance]
