//! The one fixed binary encoding of everything that is hashed, signed or logged.
//!
//! Integers are big-endian, lists and strings stand after a 32-bit count, an option after one byte,
//! 0 or 1. Every value has one encoding; `docs/formats.md` gives it byte by byte. No
//! self-description: what is read is known from where it stands.

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct WireError {
    /// Offset of the fault.
    pub at: usize,
    /// What was wrong there.
    pub what: String,
}

/// Reads values one after the other and never past the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An error at the present place.
    pub fn fail(&self, what: impl Into<String>) -> WireError {
        WireError { at: self.at, what: what.into() }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice =
            slice.ok_or_else(|| self.fail(format!("ends early, {count} bytes expected")))?;
        self.at += count;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let slice = self.take(N)?;
        slice.try_into().map_err(|_| self.fail("length"))
    }

    fn count(&mut self) -> Result<usize, WireError> {
        let count = u32::take(self)? as usize;
        // Every item takes at least a byte, so no count can ask for more memory than was sent.
        if count > self.bytes.len() - self.at {
            return Err(self.fail(format!("a list of {count} is longer than its bytes")));
        }
        Ok(count)
    }

    /// Refuses trailing bytes.
    pub fn finish(self) -> Result<(), WireError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(self.fail(format!("{} bytes too many", self.bytes.len() - self.at)))
    }
}

/// A value with one binary encoding.
pub trait Wire: Sized {
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads one value.
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError>;

    /// The encoding alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Reads exactly one value; trailing bytes are refused.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let value = Self::take(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }
            fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(Self::from_be_bytes(from.array()?))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(from.fail(format!("{other} is neither 0 nor 1"))),
        }
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.array()
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = from.count()?;
        let bytes = from.take(count)?.to_vec();
        Self::from_utf8(bytes).map_err(|_| from.fail("not UTF-8"))
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // A list that does not fit 32 bits never gets here: every input is far smaller.
    u32::try_from(count).unwrap_or(u32::MAX).put(out);
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        for item in self {
            item.put(out);
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = from.count()?;
        let mut items = Self::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(T::take(from)?);
        }
        Ok(items)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl Wire for bitcoin::ScriptBuf {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().to_vec().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self::from_bytes(Vec::<u8>::take(from)?))
    }
}

impl Wire for bitcoin::OutPoint {
    fn put(&self, out: &mut Vec<u8>) {
        self.txid.put(out);
        self.vout.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { txid: bitcoin::Txid::take(from)?, vout: u32::take(from)? })
    }
}

impl Wire for bitcoin::Txid {
    fn put(&self, out: &mut Vec<u8>) {
        let bytes: &[u8; 32] = self.as_ref();
        bytes.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        use bitcoin::hashes::Hash as _;
        Ok(Self::from_byte_array(from.array()?))
    }
}

impl Wire for bitcoin::Amount {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_sat().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let amount = Self::from_sat(u64::take(from)?);
        if amount > Self::MAX_MONEY {
            return Err(from.fail("more than 21 million BTC"));
        }
        Ok(amount)
    }
}

/// Encodes a struct as its fields in the order given here.
macro_rules! wire_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::wire::Wire::put(&self.$field, out);)*
            }
            fn take(
                from: &mut $crate::wire::Reader<'_>,
            ) -> Result<Self, $crate::wire::WireError> {
                $(let $field = $crate::wire::Wire::take(from)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// Encodes a plain enum as one byte.
macro_rules! wire_enum {
    ($name:ident { $($variant:ident = $byte:literal),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $byte),* });
            }
            fn take(
                from: &mut $crate::wire::Reader<'_>,
            ) -> Result<Self, $crate::wire::WireError> {
                match <u8 as $crate::wire::Wire>::take(from)? {
                    $($byte => Ok(Self::$variant),)*
                    other => Err(from.fail(format!(
                        concat!("{} is no ", stringify!($name)), other
                    ))),
                }
            }
        }
    };
}

pub(crate) use {wire_enum, wire_struct};
