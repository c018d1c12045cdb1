//! Rows of many traces into trees: one row per span, its parent, the leaf below it. Mechanics only: no rule of what a session is
//! lives here. The numpy versions in `sojourn/sessions` say the same more slowly and are the oracle of these.

const SCRAMBLE: u64 = 0x9E37_79B9_7F4A_7C15;
const NONE: i64 = -1;
const MANY: i64 = -2;

/// The kept rows sorted by (trace, scrambled span id), how they are cut into traces, and their parents.
pub struct Arranged {
    /// Index into the rows given.
    pub order: Vec<i64>,
    /// Position in `order` of each trace's first row.
    pub first: Vec<i64>,
    /// Position of each row's parent, -1 for none; cycles are cut at their least span id.
    pub up: Vec<i64>,
    /// Positions of the rows whose parent link was cut.
    pub cut: Vec<i64>,
}

/// The columns that identify a copy of a span; all of one length.
pub struct Spans<'a> {
    pub trace: &'a [u32],
    pub span: &'a [u64],
    pub parent: &'a [u64],
    pub end: &'a [u64],
    pub digest: &'a [u64],
}

fn scrambled(id: u64) -> u64 {
    let mixed = id.wrapping_mul(SCRAMBLE);
    (mixed ^ (mixed >> 29)).wrapping_mul(SCRAMBLE)
}

pub fn arrange(rows: &Spans, bits: u32) -> Arranged {
    let mut out = Arranged {
        order: Vec::with_capacity(rows.trace.len()),
        first: Vec::new(),
        up: Vec::new(),
        cut: Vec::new(),
    };
    let (by_trace, cuts) = by_trace(rows.trace);
    let mut found: Vec<(u64, u64, usize)> = Vec::new();
    for pair in cuts.windows(2) {
        let members = &by_trace[pair[0]..pair[1]];
        if members.is_empty() {
            continue;
        }
        found.clear();
        found.extend(
            members
                .iter()
                .map(|&row| (scrambled(rows.span[row]) >> (64 - bits), rows.span[row], row)),
        );
        found.sort_unstable();
        one_row_each(rows, &mut found);
        let first = out.order.len();
        out.first.push(first as i64);
        out.order.extend(found.iter().map(|&(_, _, row)| row as i64));
        for at in 0..found.len() {
            let parent = parent_of(rows.parent[found[at].2], &found, bits);
            out.up.push(parent.map_or(NONE, |place| (first + place) as i64));
        }
        cut_cycles(&mut out, first, &found);
    }
    out
}

/// Row numbers sorted by trace (stable), and where each trace begins: a counting sort.
fn by_trace(trace: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let traces = trace.iter().max().map_or(0, |&most| most as usize + 1);
    let mut cuts = vec![0usize; traces + 1];
    for &number in trace {
        cuts[number as usize + 1] += 1;
    }
    for number in 0..traces {
        cuts[number + 1] += cuts[number];
    }
    let mut next = cuts.clone();
    let mut rows = vec![0usize; trace.len()];
    for (row, &number) in trace.iter().enumerate() {
        rows[next[number as usize]] = row;
        next[number as usize] += 1;
    }
    (rows, cuts)
}

/// Of rows with one span id (they lie side by side) keep the greatest (end, digest), the earliest row of equal ones.
fn one_row_each(rows: &Spans, found: &mut Vec<(u64, u64, usize)>) {
    found.dedup_by(|next, kept| {
        if next.1 != kept.1 {
            return false;
        }
        let newer = (rows.end[next.2], rows.digest[next.2]) > (rows.end[kept.2], rows.digest[kept.2]);
        if newer {
            kept.2 = next.2;
        }
        true
    });
}

fn parent_of(parent: u64, found: &[(u64, u64, usize)], bits: u32) -> Option<usize> {
    if parent == 0 {
        return None;
    }
    found
        .binary_search_by(|&(key, id, _)| (key, id).cmp(&(scrambled(parent) >> (64 - bits), parent)))
        .ok()
}

fn cut_cycles(out: &mut Arranged, first: usize, found: &[(u64, u64, usize)]) {
    let mut seen = vec![0u32; found.len()];
    for start in 0..found.len() {
        let walk = start as u32 + 1;
        let mut at = start;
        while seen[at] == 0 {
            seen[at] = walk;
            match out.up[first + at] {
                NONE => break,
                up => at = up as usize - first,
            }
        }
        if seen[at] != walk || out.up[first + at] == NONE {
            continue;
        }
        let mut least = at;
        let mut next = out.up[first + at] as usize - first;
        while next != at {
            if found[next].1 < found[least].1 {
                least = next;
            }
            next = out.up[first + next] as usize - first;
        }
        out.up[first + least] = NONE;
        out.cut.push((first + least) as i64);
    }
}

/// For each row the one leaf among the marked rows below it, MANY (-2) if there are several, NONE (-1) if there is none.
/// A leaf is a marked row without marked rows below. Every row is visited at most three times.
pub fn only_below(up: &[i64], marked: &[bool]) -> Vec<i64> {
    let mut above = vec![false; up.len()];
    for row in (0..up.len()).filter(|&row| marked[row]) {
        let mut at = up[row];
        while at != NONE && !above[at as usize] {
            above[at as usize] = true;
            at = up[at as usize];
        }
    }
    let mut tip = vec![NONE; up.len()];
    for leaf in (0..up.len()).filter(|&row| marked[row] && !above[row]) {
        let mut label = leaf as i64;
        let mut at = up[leaf];
        while at != NONE && tip[at as usize] != MANY {
            if tip[at as usize] != NONE {
                label = MANY;
            }
            tip[at as usize] = label;
            at = up[at as usize];
        }
    }
    tip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_cut_at_its_least_span() {
        let rows = Spans {
            trace: &[0, 0, 0],
            span: &[7, 3, 9],
            parent: &[3, 9, 7],
            end: &[1, 1, 1],
            digest: &[1, 1, 1],
        };
        let found = arrange(&rows, 40);
        let least = found.order.iter().position(|&row| rows.span[row as usize] == 3).unwrap() as i64;
        assert_eq!(found.cut, vec![least]);
        assert_eq!(found.up[least as usize], NONE);
    }

    #[test]
    fn the_only_leaf_below() {
        let tip = only_below(&[NONE, 0, 1, 1, 0], &[true, true, true, false, false]);
        assert_eq!(tip, vec![2, 2, NONE, NONE, NONE]);
    }
}
