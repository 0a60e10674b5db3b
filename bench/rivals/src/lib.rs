//! httparse as a C function, and picohttpparser's C taken along: `phr_parse_request` is called as it is.
use std::mem::MaybeUninit;
use std::slice;

pub use picohttpparser_sys::phr_parse_request;

/// Method and target, then each field's name and value, as `visit` is told of them.
type Visit = extern "C" fn(context: *mut (), at: *const u8, size: usize);

/// Parses a request's head and returns how many bytes its fields' names and values have in all, 0 when it fails.
///
/// # Safety
/// `head` has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rival_httparse(head: *const u8, size: usize, visit: Option<Visit>, context: *mut ()) -> usize {
    let mut fields = [MaybeUninit::uninit(); 128];
    let mut request = httparse::Request::new(&mut []);
    let head = unsafe { slice::from_raw_parts(head, size) };
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return 0,
    }
    if let Some(visit) = visit {
        let tell = |part: &[u8]| visit(context, part.as_ptr(), part.len());
        tell(request.method.unwrap_or_default().as_bytes());
        tell(request.path.unwrap_or_default().as_bytes());
        for field in request.headers.iter() {
            tell(field.name.as_bytes());
            tell(field.value);
        }
    }
    request.headers.iter().map(|field| field.name.len() + field.value.len()).sum()
}
