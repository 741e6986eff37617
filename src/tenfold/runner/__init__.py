"""Runs notebooks: parameters, content keys, executors, progress; knows papers only by name."""
