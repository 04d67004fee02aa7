"""Tables of text as people keep them: separators, columns, dates, words."""
