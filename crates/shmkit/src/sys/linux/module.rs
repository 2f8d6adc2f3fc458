//! The dynamic loader.

use std::ffi::{CStr, CString, c_void};
use std::ptr;

/// The file of the module that has this address; `None` if the loader does not know.
pub fn path_of(address: *const ()) -> Option<CString> {
    let mut info = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    // SAFETY: looks an address up, into a struct of this frame.
    let found = unsafe { libc::dladdr(address.cast(), &mut info) } != 0 && !info.dli_fname.is_null();
    // SAFETY: the loader's own string, which lives as long as the module does.
    found.then(|| unsafe { CStr::from_ptr(info.dli_fname) }.to_owned())
}

/// The address of a symbol in what the process has loaded; null if there is none.
pub fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: a look-up by a name that ends with NUL.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}
