//! Reads the fenced blocks of a page, section by section.

pub(super) struct Section {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

pub(super) struct Block {
    /// The text after its first fence.
    pub(super) info: String,
    pub(super) text: String,
}

/// Returns the parts of a page below its headings of the second level.
pub(super) fn sections(page: &str) -> Vec<Section> {
    let mut sections = Vec::<Section>::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), blocks: Vec::new() });
        } else if let Some(info) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            let block = Block { info: info.to_owned(), text };
            sections.last_mut().expect("a block stands below a heading").blocks.push(block);
        }
    }
    sections
}

impl Section {
    pub(super) fn has(&self, info: &str) -> bool {
        self.blocks.iter().any(|block| block.info == info)
    }
}

impl Block {
    /// Returns the first line of a message, and those of its headers.
    pub(super) fn head(&self) -> (&str, impl Iterator<Item = &str>) {
        let mut lines = self.text.lines();
        (lines.next().expect("a first line"), lines.take_while(|line| !line.is_empty()))
    }

    /// Returns the text of a message after the empty line.
    pub(super) fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body.trim_end_matches('\n'))
    }
}
