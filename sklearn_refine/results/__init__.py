"""Any fitted search as tables, and what is read from them."""
