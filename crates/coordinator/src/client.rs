//! The coordinator's end of the cosigner's socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use withdrawal::protocol::{FRAME_BYTES_MAX, Request, Response};
use withdrawal::wire::Wire as _;

use crate::{Error, io};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to a cosigner.
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
}

impl Client {
    /// Connects to a socket.
    pub fn connect(path: &Path) -> Result<Self, Error> {
        let what = || format!("cosigner at {}", path.display());
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                let hint = "is it running (`countersign cosigner run`), and is this its socket?";
                io(format!("no {}; {hint}", what()))(error)
            }
            _ => io(what())(error),
        })?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(io(what()))?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(io(what()))?;
        Ok(Self { stream, path: path.to_owned() })
    }

    /// One request, one answer.
    pub fn ask(&mut self, request: &Request) -> Result<Response, Error> {
        let what = format!("cosigner at {}", self.path.display());
        let bytes = request.to_bytes();
        let length = u32::try_from(bytes.len())
            .map_err(|_| Error::Peer("the request is too large".to_owned()))?;
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend(bytes);
        self.stream.write_all(&frame).map_err(io(&what))?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(io(&what))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Error::Peer(format!("{what}: an answer of {length} bytes")));
        }
        let mut answer = Vec::new();
        let mut limited = (&mut self.stream).take(length as u64);
        limited.read_to_end(&mut answer).map_err(io(&what))?;
        Response::from_bytes(&answer).map_err(|e| Error::Peer(format!("{what}: {e}")))
    }
}
