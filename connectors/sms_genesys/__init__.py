"""Genesys Cloud: agentless text messages, and the Open Messaging webhook."""
