"""The results of any fitted search: tables, parameters, smoothing, refit callables."""
