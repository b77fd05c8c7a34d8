//! Two Unix sockets: one for the coordinator, one for people's acts, so that neither can starve the
//! other. A frame is a 32-bit big-endian length and a request or an answer.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use withdrawal::protocol::{FRAME_BYTES_MAX, Request, Response, SUBMIT_BYTES_MAX};
use withdrawal::wire::Wire as _;

use crate::core::{Core, QUEUE_MAX, Queue};

/// Connections served at once on each socket.
const CONNECTIONS_MAX: usize = 32;
/// Of them by one user of the machine, so that others get in.
const CONNECTIONS_PER_USER: usize = 16;
/// Longest wait for a whole frame, from its first byte or the connection on.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests of one connection on the second socket: an author needs a handful.
const SUBMITS_PER_CONNECTION: usize = 16;

/// Reads one frame; `None` at the end of the stream.
pub fn read_frame(stream: &mut impl io::Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::other(format!("frame of {length} bytes, {limit} at most")));
    }
    // Memory grows with what arrives, not with what is announced.
    let mut frame = Vec::new();
    stream.take(length as u64).read_to_end(&mut frame)?;
    if frame.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(frame))
}

/// A stream whose reads all end by one moment: a byte now and then holds no place.
struct Timed<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl io::Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        (&mut &*self.stream).read(buffer)
    }
}

fn next_frame(stream: &UnixStream, limit: usize) -> io::Result<Option<Vec<u8>>> {
    read_frame(&mut Timed { stream, until: Instant::now() + FRAME_TIMEOUT }, limit)
}

/// Writes one frame.
pub fn write_frame(stream: &mut impl io::Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(frame)?;
    stream.flush()
}

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Serves until the process ends. `ready` is called once both sockets listen.
pub fn run(core: Core, socket: &Path, submit: &Path, ready: impl FnOnce()) -> io::Result<()> {
    let main = bind(socket, 0o600)?;
    let second = bind(submit, 0o666)?;
    let queue = core.queue();
    let core = Arc::new(Mutex::new(core));
    ready();
    let submits = Arc::clone(&core);
    std::thread::spawn(move || {
        accept(&second, |stream| serve_submit(stream, &submits, &queue));
    });
    accept(&main, |stream| serve_main(stream, &core));
    Ok(())
}

fn accept(listener: &UnixListener, serve: impl Fn(UnixStream) -> io::Result<()> + Sync) {
    let open = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let Some(place) = Place::take(&open, user(&stream)) else {
                // Dropped: the client sees the end of the stream and comes again.
                continue;
            };
            let serve = &serve;
            scope.spawn(move || {
                let _place = place;
                let _ = stream.set_write_timeout(Some(FRAME_TIMEOUT));
                // An I/O error ends one connection and nothing else.
                let _ = serve(stream);
            });
        }
    });
}

/// One connection's place, given back however the connection ends.
struct Place<'a> {
    open: &'a Mutex<Vec<Option<u32>>>,
    user: Option<u32>,
}

impl<'a> Place<'a> {
    fn take(open: &'a Mutex<Vec<Option<u32>>>, user: Option<u32>) -> Option<Self> {
        let mut users = open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = users.iter().filter(|other| **other == user).count();
        if users.len() >= CONNECTIONS_MAX || own >= CONNECTIONS_PER_USER {
            return None;
        }
        users.push(user);
        Some(Self { open, user })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut users = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = users.iter().position(|user| *user == self.user) {
            users.swap_remove(at);
        }
    }
}

fn user(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.ok().map(|peer| peer.uid.as_raw())
}

/// Whether the other end runs as this user or as root.
fn is_own_user(stream: &UnixStream) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.is_ok_and(|peer| peer.uid == rustix::process::geteuid() || peer.uid.is_root())
}

fn locked(core: &Mutex<Core>, request: Request) -> Response {
    match core.lock() {
        Ok(mut core) => {
            core.empty_queue();
            let answer = core.answer(request);
            end_if_stopped(&core);
            answer
        }
        Err(_) => Response::Failed { what: "a fault in an earlier request; restart".to_owned() },
    }
}

/// What is durable is unknown: only a new start, which reads the disk, may decide again.
fn end_if_stopped(core: &Core) {
    if core.stopped() {
        eprintln!("storage failed: the cosigner stops, and must be started again");
        std::process::exit(1);
    }
}

fn serve_main(mut stream: UnixStream, core: &Mutex<Core>) -> io::Result<()> {
    if !is_own_user(&stream) {
        return Ok(());
    }
    while let Some(frame) = next_frame(&stream, FRAME_BYTES_MAX)? {
        let response = match Request::from_bytes(&frame) {
            Ok(request) => locked(core, request),
            Err(error) => Response::Malformed { what: error.to_string() },
        };
        write_frame(&mut stream, &response.to_bytes())?;
    }
    Ok(())
}

/// The second socket takes acts, and what their authors need to have them witnessed.
fn serve_submit(mut stream: UnixStream, core: &Mutex<Core>, queue: &Queue) -> io::Result<()> {
    for _ in 0..SUBMITS_PER_CONNECTION {
        let Some(frame) = next_frame(&stream, SUBMIT_BYTES_MAX)? else { return Ok(()) };
        let response = match Request::from_bytes(&frame) {
            Ok(Request::Act(act)) => submit(*act, core, queue),
            Ok(request @ (Request::Hello | Request::Consistency { .. })) => locked(core, request),
            Ok(request @ (Request::Head { .. } | Request::Recover(_))) => locked(core, request),
            // What a quorum undoes at once must not depend on the coordinator either.
            Ok(Request::Change(change)) if change.change.kind.is_immediate() => {
                locked(core, Request::Change(change))
            }
            Ok(_) => Response::Malformed { what: "this socket takes acts only".to_owned() },
            Err(error) => Response::Malformed { what: error.to_string() },
        };
        write_frame(&mut stream, &response.to_bytes())?;
    }
    Ok(())
}

fn submit(act: withdrawal::act::SignedAct, core: &Mutex<Core>, queue: &Queue) -> Response {
    let failed = |what: &str| Response::Failed { what: what.to_owned() };
    let (sender, answer) = mpsc::channel();
    match queue.lock() {
        Ok(mut queue) if queue.len() < QUEUE_MAX => queue.push_back((act, sender)),
        Ok(_) => return failed("the queue is full; try again"),
        Err(_) => return failed("queue"),
    }
    // Whoever holds the lock empties the queue before deciding anything; then it is our turn.
    match core.lock() {
        Ok(mut core) => {
            core.empty_queue();
            end_if_stopped(&core);
        }
        Err(_) => return failed("a fault in an earlier request; restart"),
    }
    answer.recv().unwrap_or_else(|_| failed("no answer"))
}
