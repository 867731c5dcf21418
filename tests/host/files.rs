//! Files that the tool writes: an old one keeps its content until the new one is whole.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::folder::Folder;
use super::tool::{self, RAWBPF, shell};

/// A text, and the bytes that are made of it.
const TEXT: &str = "r0 = 0\nexit\n";
const BYTES: usize = 16;

/// Runs `rawbpf asm` on a text, with the output `file`, in a shell where `$F` is the folder.
fn asm(folder: &Folder, file: &str, before: &str) -> tool::Ended {
    let folder = folder.0.display();
    let text = TEXT.replace('\n', "\\n");
    shell(&format!("F={folder}\n{before}\nprintf '{text}' | $RAWBPF asm - --emit raw -o {file}"))
}

#[test]
fn the_mode_of_an_old_file_is_kept_and_links_are_followed() {
    let folder = Folder::new("mode");
    let (real, link) = (folder.file("real"), folder.file("link"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", &link).unwrap();
    let ended = asm(&folder, "$F/link", "umask 022");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap().len(), BYTES);
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
    // A link to a file that is not there yet, and a new file.
    symlink("later", folder.file("dangling")).unwrap();
    for (file, made) in [("$F/dangling", "later"), ("$F/new", "new")] {
        let ended = asm(&folder, file, "umask 022");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let made = fs::symlink_metadata(folder.file(made)).unwrap();
        assert_eq!((made.len(), made.mode()), (BYTES as u64, 0o100_644));
    }
    let mut files = folder.files();
    files.sort();
    assert_eq!(files, ["dangling", "later", "link", "new", "real"]);
}

#[test]
fn a_file_that_becomes_too_large_leaves_the_old_one() {
    let folder = Folder::new("efbig");
    let file = folder.file("out");
    fs::write(&file, "old").unwrap();
    let ended = asm(&folder, "$F/out", "ulimit -f 0");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let said = format!("asm: {file} cannot be written: File too large\n  ");
    assert!(ended.stderr.starts_with(&said), "{}", ended.stderr);
    assert!(ended.stderr.contains("ulimit -f"), "{}", ended.stderr);
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), folder.files().len()), ("old", 1));
    // stdout is a file too.
    let ended = asm(&folder, "- > $F/stdout", "ulimit -f 0");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("could not be written: File too large"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root to mount: run tests/run"]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::new("enospc");
    // The second file is a mount of its own, so that no other can take its place.
    let ended = shell(&format!(
        "unshare -m sh -c '
            cd {} && mkdir disk && mount -t tmpfs -o size=16k,nr_inodes=20 tmpfs disk || exit 9
            echo old > disk/out; echo old > disk/other; touch mounted
            mount --bind disk/other mounted || exit 9
            dd if=/dev/zero of=disk/rest bs=4k status=none 2>/dev/null
            $RAWBPF asm big --emit raw -o disk/out; echo $?
            $RAWBPF asm big --emit raw -o mounted; echo $?
            cat disk/out mounted; ls -A disk'",
        {
            fs::write(folder.file("big"), format!("{}exit\n", "r0 = 0\n".repeat(9000))).unwrap();
            folder.0.display()
        }
    ));
    assert_eq!(ended.stdout, "1\n1\nold\nold\nother\nout\nrest\n", "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("cannot be written: No space left").count(), 2);
}

#[test]
#[ignore = "needs root to mount, and to be somebody else: run tests/run"]
fn where_no_file_can_be_replaced_it_is_written_in_place() {
    let folder = Folder::new("place");
    let ended = shell(&format!(
        "unshare -m sh -c '
            cd {} || exit 9
            printf \"r0 = 0\\nexit\\n\" > text; chmod 644 text
            yes old | head -100 > mine; yes old | head -100 > theirs; yes old | head -100 > other
            mount --bind other mine || exit 9
            chmod 666 theirs; chmod 755 .
            $RAWBPF asm text --emit raw -o mine; echo $?
            nobody=\"setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all\"
            $nobody $RAWBPF asm text --emit raw -o theirs; echo $?
            $nobody $RAWBPF asm text --emit raw -o new; echo $?
            stat -c \"%n %s %u %a\" mine other theirs; ls -A'",
        folder.0.display()
    ));
    let expected =
        "0\n0\n1\nmine 16 0 644\nother 16 0 644\ntheirs 16 0 666\nmine\nother\ntext\ntheirs\n";
    assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("asm: new cannot be written: Permission denied"));
}

#[test]
#[ignore = "needs root to write another's file: run tests/run"]
fn the_owner_of_an_old_file_is_kept() {
    let folder = Folder::new("owner");
    let ended = asm(&folder, "$F/out", "echo old > $F/out; chown 65534:65533 $F/out");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let made = fs::metadata(folder.file("out")).unwrap();
    assert_eq!((made.len(), made.uid(), made.gid()), (BYTES as u64, 65534, 65533));
}

#[test]
fn pipes_and_devices_are_written_in_place() {
    let folder = Folder::new("fifo");
    let ended =
        asm(&folder, "$F/pipe; wait; stat -c %F $F/pipe", "mkfifo $F/pipe; wc -c < $F/pipe &");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "16\nfifo\n"), "{}", ended.stderr);
    for stdout in ["-", "/dev/stdout", "/proc/self/fd/1"] {
        let ended = asm(&folder, &format!("{stdout} | wc -c"), ":");
        assert_eq!(ended.stdout, "16\n", "{stdout}: {}", ended.stderr);
        // A file is stdout too: what others have written there stays.
        let to_file = format!("{stdout} >> $F/all; wc -c < $F/all; rm $F/all");
        let ended = asm(&folder, &to_file, "echo 1234567 > $F/all");
        assert_eq!(ended.stdout, "24\n", "{stdout}: {}", ended.stderr);
    }
    let ended = asm(&folder, "/dev/full", ":");
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "asm: /dev/full cannot be written: No space left on device\n");
    assert_eq!(folder.files(), ["pipe"]);
}

#[test]
fn a_name_that_no_file_can_have_is_refused_before_the_text_is_read() {
    let folder = Folder::new("names");
    let long = "x".repeat(256);
    for (name, why) in [
        ("$F", "Is a directory"),
        ("$F/", "Is a directory"),
        ("$F/new/", "is a directory"),
        ("$F/no/such", "No such file or directory"),
        ("/proc/new", "cannot be written"),
        ("$F/text/out", "Not a directory"),
        (&format!("$F/{long}"), "File name too long"),
        ("$F/loop", "Too many symbolic links"),
    ] {
        let ended = asm(&folder, name, "echo > $F/text; ln -sf loop $F/loop");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{name}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{name}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_refused_program_s_log_takes_the_place_of_an_old_one() {
    let folder = Folder::new("log");
    let (text, log) = (tool::file(tool::UNCHECKED), folder.file("log"));
    fs::write(&log, "old").unwrap();
    for command in ["run", "verify"] {
        let limited = format!("ulimit -f 0; $RAWBPF {command} {text} --verifier-log {log}");
        let ended = shell(&limited);
        assert!(ended.stderr.contains("log cannot be written: File too large"), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&log).unwrap(), "old", "{command}");
        let ended = shell(&format!("$RAWBPF {command} {text} --verifier-log {log}"));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(fs::read_to_string(&log).unwrap().contains("R0 invalid mem access"), "{command}");
        fs::write(&log, "old").unwrap();
    }
    let page = folder.file("page");
    fs::write(&page, "old").unwrap();
    let ended = shell(&format!("ulimit -f 1; $RAWBPF verify {text} --html {page}"));
    assert!(ended.stderr.contains("page cannot be written: File too large"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&page).unwrap(), "old");
    fs::remove_file(text).unwrap();
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_picture_may_go_to_stdout_and_is_then_alone_there() {
    for stdout in ["-", "/dev/stdout"] {
        let ended = tool::run("bioheat", &["--svg", stdout, "0.1", "2"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.starts_with("<svg") && ended.stdout.ends_with("</svg>\n"));
    }
    let ended = tool::run("bioheat", &["--svg", "-", "--json", "0.1", "2"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("--json and --svg would both be on stdout"), "{}", ended.stderr);
}

#[test]
fn without_memory_a_sentence_says_why() {
    // The file of a debug build is large; its code needs no more than that of the release.
    let size = fs::metadata(RAWBPF).unwrap().len() / 1024;
    let limit = size + 30_000;
    let ended = shell(&format!(
        "ulimit -v {limit}; yes 'r0 = 0' | head -c 50000000 | $RAWBPF asm - --emit raw"
    ));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("rawbpf: no memory for "), "{}", ended.stderr);
    assert!(ended.stderr.ends_with(&format!("is {limit} KiB (ulimit -v)\n")), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
}
