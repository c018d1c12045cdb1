//! ClickHouse types: reading their names, and knowing which Arrow types already have their memory.

use arrow_schema::{DataType, TimeUnit};

/// The ClickHouse types that can be written.
#[derive(Debug, PartialEq)]
pub enum Kind {
    UInt(usize),
    Int(usize),
    Float(usize),
    Bool,
    /// DateTime64 by its number of decimals.
    Time(u8),
    Decimal {
        precision: u8,
        scale: i8,
    },
    Text,
    FixedText(usize),
    /// LowCardinality(String)
    Code,
    Array(Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
    Tuple(Vec<Kind>),
    Nullable(Box<Kind>),
}

const DEPTH: usize = 16;

impl Kind {
    pub fn parse(name: &str) -> Result<Kind, String> {
        parse(name.trim(), DEPTH).ok_or_else(|| format!("ClickHouse type {name} cannot be written"))
    }

    /// Bytes of one value in Arrow's memory if ClickHouse wants the very same bytes, else None.
    pub fn same_memory(&self, arrow: &DataType) -> Option<usize> {
        let width = arrow.primitive_width();
        let same = match (self, arrow) {
            (Kind::UInt(bits), DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64) => width == Some(bits / 8),
            (Kind::Int(bits), DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64) => width == Some(bits / 8),
            (Kind::Float(bits), DataType::Float32 | DataType::Float64) => width == Some(bits / 8),
            (Kind::UInt(128) | Kind::Int(128), DataType::FixedSizeBinary(16)) => return Some(16),
            (Kind::FixedText(size), DataType::FixedSizeBinary(bytes)) if usize::try_from(*bytes) == Ok(*size) => return Some(*size),
            (Kind::Time(decimals), DataType::Timestamp(unit, _)) => *decimals == decimals_of(*unit),
            (Kind::Time(_), DataType::Int64) => true,
            (Kind::Decimal { precision, scale }, DataType::Decimal32(_, of)) => scale == of && *precision <= 9,
            (Kind::Decimal { precision, scale }, DataType::Decimal64(_, of)) => scale == of && (10..=18).contains(precision),
            (Kind::Decimal { precision, scale }, DataType::Decimal128(_, of)) => scale == of && (19..=38).contains(precision),
            _ => false,
        };
        if same { width } else { None }
    }
}

fn decimals_of(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn parse(name: &str, depth: usize) -> Option<Kind> {
    let depth = depth.checked_sub(1)?;
    let (outer, inner) = match name.split_once('(') {
        Some((outer, rest)) => (outer.trim(), split(rest.strip_suffix(')')?)?),
        None => (name, Vec::new()),
    };
    let nested = |index: usize| inner.get(index).and_then(|part| parse(part, depth)).map(Box::new);
    Some(match (outer, inner.len()) {
        ("Array", 1) => Kind::Array(nested(0)?),
        ("Map", 2) => Kind::Map(nested(0)?, nested(1)?),
        ("Nullable", 1) => Kind::Nullable(nested(0)?),
        ("LowCardinality", 1) => (inner[0] == "String").then_some(Kind::Code)?,
        ("Tuple", 1..) => Kind::Tuple(inner.iter().map(|part| parse(unnamed(part), depth)).collect::<Option<_>>()?),
        ("FixedString", 1) => Kind::FixedText(inner[0].parse().ok()?),
        ("DateTime64", 1..=2) => Kind::Time(inner[0].parse().ok()?),
        ("Decimal", 2) => Kind::Decimal {
            precision: inner[0].parse().ok()?,
            scale: inner[1].parse().ok()?,
        },
        (_, 0) => plain(outer)?,
        _ => return None,
    })
}

fn plain(name: &str) -> Option<Kind> {
    let bits = |prefix: &str, sizes: &[usize]| name.strip_prefix(prefix)?.parse().ok().filter(|bits| sizes.contains(bits));
    Some(match name {
        "Bool" => Kind::Bool,
        "String" => Kind::Text,
        _ => {
            if let Some(bits) = bits("UInt", &[8, 16, 32, 64, 128]) {
                Kind::UInt(bits)
            } else if let Some(bits) = bits("Int", &[8, 16, 32, 64, 128]) {
                Kind::Int(bits)
            } else {
                Kind::Float(bits("Float", &[32, 64])?)
            }
        }
    })
}

/// The parts between the commas that stand outside of brackets.
fn split(inner: &str) -> Option<Vec<&str>> {
    let (mut parts, mut open, mut from) = (Vec::new(), 0usize, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open = open.checked_sub(1)?,
            ',' if open == 0 => {
                parts.push(inner[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(inner[from..].trim());
    (open == 0).then_some(parts)
}

/// `Count UInt64` → `UInt64`: elements of tuples may have names.
fn unnamed(part: &str) -> &str {
    let head = part.find('(').unwrap_or(part.len());
    match part[..head].trim_end().find(' ') {
        Some(blank) => part[blank..].trim_start(),
        None => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: Kind) -> Box<Kind> {
        Box::new(kind)
    }

    #[test]
    fn reads_every_type_of_the_schema() {
        assert_eq!(Kind::parse("UInt128"), Ok(Kind::UInt(128)));
        assert_eq!(Kind::parse("DateTime64(9)"), Ok(Kind::Time(9)));
        assert_eq!(Kind::parse("DateTime64(3, 'UTC')"), Ok(Kind::Time(3)));
        assert_eq!(
            Kind::parse("Nullable(Decimal(38, 12))"),
            Ok(Kind::Nullable(boxed(Kind::Decimal { precision: 38, scale: 12 })))
        );
        let map = Kind::Map(boxed(Kind::Code), boxed(Kind::Text));
        assert_eq!(
            Kind::parse("Array(Map(LowCardinality(String), String))"),
            Ok(Kind::Array(boxed(map)))
        );
        let pair = Kind::Tuple(vec![Kind::UInt(64), Kind::Decimal { precision: 38, scale: 9 }]);
        assert_eq!(Kind::parse("Tuple(Count UInt64, Sum Decimal(38, 9))"), Ok(pair));
    }

    #[test]
    fn refuses_what_it_cannot_write() {
        for name in [
            "",
            "UInt7",
            "Array(String",
            "Array)String(",
            "LowCardinality(UInt8)",
            "Array()",
            "JSON",
            "Map(String)",
        ] {
            assert!(Kind::parse(name).is_err(), "{name}");
        }
        assert!(Kind::parse(&"Array(".repeat(100_000)).is_err());
        assert!(Kind::parse(&format!("{}String{}", "Array(".repeat(50), ")".repeat(50))).is_err());
    }
}
