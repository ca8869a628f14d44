//! `gongji`: see [`gongji::cli`].

fn main() {
    std::process::exit(gongji::cli::run());
}
