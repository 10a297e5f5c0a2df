"""Jobs: commands that depend on no other, run on this machine or submitted to Slurm."""
