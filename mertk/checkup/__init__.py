"""Checks of `mertk doctor`: is this machine fit for a run, and is there what the run needs?"""
