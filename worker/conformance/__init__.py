"""Conformance: a whole worker is given labelled bodies, and what it kept is judged against the labels.

Read in this order: ``labels`` (what a corpus says), ``run`` (what is done with it), ``judge`` (what must
hold), ``search`` (nothing remains). ``corpus/`` is the corpus that ships with the product.
"""
