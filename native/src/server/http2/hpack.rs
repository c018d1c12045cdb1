//! HPACK, the header compression of HTTP/2 (RFC 7541): read in full, written without tables.

mod huffman;
mod static_table;
mod table;

use table::Table;

/// What cannot be read. The connection is lost with it: its tables are no longer those of the peer.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// The reading side of one connection.
#[derive(Default)]
pub struct Decoder {
    table: Table,
    /// Where the literals of one field are put together: its name, then its value.
    text: Vec<u8>,
}

impl Decoder {
    /// Changes with every change of the table: while it stays, the same bytes mean the same fields.
    pub fn generation(&self) -> u64 {
        self.table.generation
    }

    /// Hands over the fields of one block, in order.
    pub fn decode(&mut self, mut block: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), Broken> {
        let mut begun = false;
        while let Some(&byte) = block.first() {
            match byte {
                0x80.. => {
                    let (name, value) = self.table.field(integer(&mut block, 7)?)?;
                    each(name, value);
                }
                0x40.. => {
                    let name = self.literal(&mut block, 6)?;
                    each(&self.text[..name], &self.text[name..]);
                    self.table.insert(&self.text, name);
                }
                0x20.. if begun => return Err(Broken), // a size is told before the first field (§4.2)
                0x20.. => {
                    self.table.resize(integer(&mut block, 5)?)?;
                    continue;
                }
                _ => {
                    let name = self.literal(&mut block, 4)?;
                    each(&self.text[..name], &self.text[name..]);
                }
            }
            begun = true;
        }
        Ok(())
    }

    /// Reads a field into `text`; the length of its name.
    fn literal(&mut self, block: &mut &[u8], bits: u32) -> Result<usize, Broken> {
        self.text.clear();
        match integer(block, bits)? {
            0 => string(block, &mut self.text)?,
            index => self.text.extend_from_slice(self.table.field(index)?.0),
        }
        let name = self.text.len();
        string(block, &mut self.text)?;
        Ok(name)
    }
}

/// A number that begins in the last `bits` of a byte (§5.1). More than 28 bits are of no use to anybody.
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, Broken> {
    let (&first, mut rest) = block.split_first().ok_or(Broken)?;
    let most = (1 << bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        for shift in (0..).step_by(7) {
            let (&byte, after) = rest.split_first().ok_or(Broken)?;
            rest = after;
            value += usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            if shift == 21 {
                return Err(Broken);
            }
        }
    }
    *block = rest;
    Ok(value)
}

fn string(block: &mut &[u8], to: &mut Vec<u8>) -> Result<(), Broken> {
    let coded = block.first().is_some_and(|byte| byte & 0x80 != 0);
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(Broken)?;
    *block = rest;
    if coded {
        return huffman::decode(text, to);
    }
    to.extend_from_slice(text);
    Ok(())
}

/// Appends a field that leaves the peer's table as it is: such bytes are the same on every connection.
pub fn encode(to: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    to.push(0);
    for text in [name, value] {
        length(to, text.len());
        to.extend_from_slice(text);
    }
}

fn length(to: &mut Vec<u8>, mut value: usize) {
    if value < 0x7f {
        to.push(value as u8);
        return;
    }
    to.push(0x7f);
    value -= 0x7f;
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests;
