"""The book: what a notebook talks to, and the ledger of claims."""

from tenfold.book.book import Book

__all__ = ["Book"]
