//! Samples of every view, in its normal, empty and troubled states.
