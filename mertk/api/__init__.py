"""What a notebook calls: plain functions over `mertk.run`, `mertk.report` and `mertk.data`; `import mertk` has them."""
