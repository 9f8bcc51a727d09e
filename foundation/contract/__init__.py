"""What one side writes and the other reads: trace conventions, needs, records, and the Device protocol."""
