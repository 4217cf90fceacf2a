//! Embedded migrations are read at compile time; a new file must trigger that compilation.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
