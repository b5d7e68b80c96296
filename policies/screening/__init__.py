"""Screening of outbound texts: what will be sent is judged against who sends it, before anything is sent.

A text is normalised (``normalise``, ``words``), its links and numbers are read (``links``, ``numbers``) and compared with
the sender's register (``ownership``), its words are looked up (``lexicon``) and weighed (``features``, ``model``), and
``screen`` puts the findings in order.
"""
