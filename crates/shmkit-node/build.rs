//! Link settings of the addon.

fn main() {
    napi_build::setup();
    // Finalizers of buffers may run after the last environment has let the addon go (a buffer that
    // a worker moved elsewhere, say), so the code must stay mapped until the process ends.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
