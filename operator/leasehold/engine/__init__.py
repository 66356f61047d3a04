"""One pass over one object at a time: gather, decide, apply, project."""
