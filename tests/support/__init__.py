"""What the end-to-end and interop tests share. tests/runner.py runs the programs."""
