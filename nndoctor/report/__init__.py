"""Diagnosis to text, one file a format. Renderers return text, decide nothing and touch no files of their own."""
