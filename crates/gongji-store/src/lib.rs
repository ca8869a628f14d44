pub mod seal;
pub mod vault;
