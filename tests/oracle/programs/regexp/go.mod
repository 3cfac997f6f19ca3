module regexp-answers

go 1.26
