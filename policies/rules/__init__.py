"""The whole governance on one screen: three tables of rules, in the order in which they are asked."""
