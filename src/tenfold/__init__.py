"""tenfold: ten papers, one workbook."""

__version__ = "0.1.0"
