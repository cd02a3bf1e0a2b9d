"""What API objects are, whoever serves them: their kinds, selectors, patches and errors."""
