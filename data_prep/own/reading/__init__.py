"""What others write of utterances, read into `OwnRow`s: tables (`table`), and lists of Kaldi, EmoBox and audformat."""
