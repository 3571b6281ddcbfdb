//! Compiles the programs, and makes the Rust side of their maps.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=programs");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("no OUT_DIR")?);
    let clang = env::var_os("CLANG").unwrap_or_else(|| OsString::from("clang"));
    // clang looks for the C library's headers where its target would have them.
    let machine = env::var("CARGO_CFG_TARGET_ARCH").context("no architecture")?;
    let arguments = [
        "-mcpu=v3",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-idirafter",
        &format!("/usr/include/{machine}-linux-gnu"),
    ];
    SkeletonBuilder::new()
        .source("programs/zonecast.bpf.c")
        .clang(clang)
        .clang_args(arguments)
        .build_and_generate(out.join("zonecast.skel.rs"))
        .context("the eBPF programs (clang and libc6-dev build them: `cargo xtask setup`)")
}
