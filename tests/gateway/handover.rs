//! One process takes the place of another, and no client notices; what goes wrong on the way leaves the one that serves.

mod activation;
mod blocked;
mod deaths;
mod kills;
mod load;
mod outcomes;
mod process;
