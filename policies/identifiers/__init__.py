"""Government identification numbers and payment cards in what people write (PP-3).

One file for each kind of number says what it looks like, which check digit it has and by which words people name it;
``registry`` lists them. A text is folded once (``folding``), cut into runs of digits and letters (``runs``), every
piece that has a kind's shape is judged by its check digit, its written form and the words beside it (``scan``), and
what is found becomes a token that tells the kind and nothing else (``redact``).
"""
