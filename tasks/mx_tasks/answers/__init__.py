"""What models write, taken as what it is: programs in chats, files, patches."""
