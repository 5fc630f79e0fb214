//! Tests that the code and the descriptors in the repository are what the generators make of each proto.

use std::path::Path;
use std::{env, fs, process};

use prost::Message;
use protox::Compiler;

/// With any value, this variable makes the test rewrite the files instead of comparing them.
const REWRITE: &str = "UPDATE_RPC";

#[test]
fn what_is_checked_in_is_what_a_proto_generates() {
    for (folder, name, package) in [
        ("tests/rpc", "echo", "echo.v1"),
        ("examples/greeter", "greeter", "greeter.v1"),
        ("crates/extproc/proto", "processor", "envoy.service.ext_proc.v3"),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let (code, descriptors) = generated(&folder, name, package);
        expect(&folder.join(name).with_extension("rs"), code.as_bytes());
        // Only servers with reflection have them.
        if name != "processor" {
            expect(&folder.join(name).with_extension("bin"), &descriptors);
        }
    }
}

fn generated(folder: &Path, name: &str, package: &str) -> (String, Vec<u8>) {
    let mut compiler = Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_file(format!("{name}.proto")).unwrap();
    let descriptors = compiler.encode_file_descriptor_set();
    let out = env::temp_dir().join(format!("rpc-generated-{}", process::id()));
    fs::create_dir_all(&out).unwrap();
    let files = Message::decode(&*descriptors).unwrap();
    let builder = tonic_prost_build::configure().build_client(name != "processor");
    builder.out_dir(&out).compile_fds(files).unwrap();
    let code = fs::read_to_string(out.join(format!("{package}.rs"))).unwrap();
    fs::remove_dir_all(&out).unwrap();
    (code, descriptors)
}

#[track_caller]
fn expect(file: &Path, made: &[u8]) {
    if env::var_os(REWRITE).is_some() {
        fs::write(file, made).unwrap();
    } else {
        let there = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(there == made, "{} is not what its proto generates: run again with {REWRITE}=1", file.display());
    }
}
