"""Translation between each platform's wire format and the language of ``policies``: bytes in, values out."""
