//! Which parts to make one of. A pure decision.

/// Dead rows from which a part is built anew on its own, as a share of all its rows (1/4): below it they cost less
/// than the building would.
const DEAD_SHARE: usize = 4;

/// How large a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// All its rows.
    pub rows: usize,
    /// Those that are not dead.
    pub live: usize,
}

/// The places of the parts to build one part of, of at most `live_max` rows; `None` when all is well.
///
/// A part is taken along only when the smaller ones with it are as many rows as it has: so a row's part at least
/// doubles whenever the row is built again, and a row is built at most log2(all rows / rows of the first part) times.
/// For the same reason there are never more parts than that, besides those that have grown to the most.
pub fn choose(sizes: &[Size], live_max: usize) -> Option<Vec<usize>> {
    // One without a live row has nothing to give; it goes at the next change.
    let mut places: Vec<usize> = (0..sizes.len()).filter(|&place| sizes[place].live > 0).collect();
    places.sort_by_key(|&place| sizes[place].live);

    let (mut smaller, mut taken) = (0, 0);
    for (count, &place) in places.iter().enumerate() {
        let live = sizes[place].live;
        if smaller + live > live_max {
            break;
        }
        if count > 0 && smaller >= live {
            taken = count + 1;
        }
        smaller += live;
    }
    if taken > 0 {
        places.truncate(taken);
        return Some(places);
    }
    let heavy = |&place: &usize| {
        let Size { rows, live } = sizes[place];
        (rows - live) * DEAD_SHARE > rows && live <= live_max
    };
    places.into_iter().find(heavy).map(|place| vec![place])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(rows: usize) -> Size {
        Size { rows, live: rows }
    }

    #[test]
    fn parts_merge_once_the_smaller_ones_make_up_for_the_larger() {
        assert_eq!(choose(&[whole(100), whole(40)], 1000), None);
        assert_eq!(choose(&[whole(40), whole(40)], 1000), Some(vec![0, 1]));
        assert_eq!(choose(&[whole(100), whole(40), whole(60)], 1000), Some(vec![1, 2, 0]));
        assert_eq!(choose(&[whole(100), whole(40), whole(59)], 1000), None);
    }

    #[test]
    fn no_part_grows_beyond_the_most() {
        assert_eq!(choose(&[whole(600), whole(600)], 1000), None);
        assert_eq!(choose(&[whole(600), whole(600), whole(10), whole(10)], 1000), Some(vec![2, 3]));
    }

    #[test]
    fn a_part_with_many_dead_rows_is_built_anew() {
        assert_eq!(choose(&[whole(100), Size { rows: 100, live: 74 }], 1000), Some(vec![1]));
        assert_eq!(choose(&[Size { rows: 100, live: 75 }], 1000), None);
        assert_eq!(choose(&[Size { rows: 100, live: 0 }, Size { rows: 9, live: 0 }], 1000), None);
    }

    /// Parts of one size, thousands of them, as a store that grows one row at a time makes them.
    #[test]
    fn the_rows_built_and_the_parts_left_are_logarithmic() {
        let (mut parts, mut built, mut most) = (Vec::new(), 0, 0);
        for _ in 0..1024 {
            parts.push(whole(1));
            built += 1;
            while let Some(chosen) = choose(&parts, usize::MAX) {
                let live = chosen.iter().map(|&place| parts[place].live).sum();
                built += live;
                parts = (0..parts.len())
                    .filter(|place| !chosen.contains(place))
                    .map(|place| parts[place])
                    .collect();
                parts.push(whole(live));
            }
            most = most.max(parts.len());
        }
        assert!(built <= 1024 * 11, "{built} rows built for 1,024");
        assert!(most <= 10, "{most} parts");
    }
}
