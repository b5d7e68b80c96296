"""Training the text model of the screening: texts written for it, public collections, a solver without libraries."""
