"""The compliance report: what happened in a month (figures), as one page for people (page) and as JSON. No personal data."""
