"""Legal holds: what they cover, what they keep back, what is due when they are lifted; productions under legal process."""
