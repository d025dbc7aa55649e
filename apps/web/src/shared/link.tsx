import type { ComponentProps } from 'react'
import { Anchor, Button, NavLink, type AnchorProps, type ButtonProps, type NavLinkProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'

type A = ComponentProps<'a'>
/** Mantine's components as typed links of the router. */
export const TextLink = createLink((props: AnchorProps & Omit<A, keyof AnchorProps>) => <Anchor inherit={props.fz === undefined} {...props} />)
export const ButtonLink = createLink((props: ButtonProps & Omit<A, keyof ButtonProps>) => <Button component="a" {...props} />)
export const NavigationLink = createLink((props: NavLinkProps & Omit<A, keyof NavLinkProps>) => <NavLink component="a" {...props} />)
