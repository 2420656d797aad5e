"""The views of the studio: a function each, that draws it for a folder and perhaps a run."""
