"""Rules of text messaging that do not judge what a text says: size, opt-out, hours, senders, share of traffic."""
