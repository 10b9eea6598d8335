"""Task metadata, known without importing the tasks: names, signatures, headers and run events."""
