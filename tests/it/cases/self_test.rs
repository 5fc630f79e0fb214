//! The checker fails where it should: a right response passes, and each way of spoiling it is reported by its rule.
