"""Input that wants to do harm, or comes from something broken: a right answer or a flagged row, and never a lost neighbour."""
