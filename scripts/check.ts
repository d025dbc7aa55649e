// npm run check: every check; all failures are shown. `-- --write` makes the generated pages anew.
console.error('certloop: no checks yet')
